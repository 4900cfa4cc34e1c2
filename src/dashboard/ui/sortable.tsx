/** The head of a column by which a table can be sorted. */

export interface SortableProps {
  readonly label: string;
  readonly column: string;
  /** The column and the direction in force. */
  readonly sorted: { readonly column: string; readonly descending: boolean };
  /** Which way the column is sorted first. */
  readonly descendingFirst?: boolean;
  readonly class?: string;
  readonly title?: string;
  readonly onSort: (sort: string) => void;
}

export function Sortable({ label, column, sorted, descendingFirst = false, onSort, ...rest }: SortableProps) {
  const isSorted = sorted.column === column;
  const descending = isSorted ? !sorted.descending : descendingFirst;
  const direction = sorted.descending ? "descending" : "ascending";
  return (
    <th scope="col" {...rest} aria-sort={isSorted ? direction : "none"}>
      <button type="button" onClick={() => onSort(descending ? `-${column}` : column)}>
        {label}
        <span aria-hidden="true">{isSorted ? (sorted.descending ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}
