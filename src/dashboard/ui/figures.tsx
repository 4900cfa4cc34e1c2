/** A few numbers with their names. */

export interface Figure {
  readonly label: string;
  readonly value: string;
  /** What it means, where the name alone does not say it. */
  readonly title?: string;
}

export function Figures({ figures }: { readonly figures: readonly Figure[] }) {
  return (
    <dl class="figures">
      {figures.map(({ label, value, title }) => (
        <div key={label} title={title}>
          <dt>{label}</dt>
          <dd class="figure">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
