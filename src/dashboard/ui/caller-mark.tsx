/** Whose something is, beside the name that its client gave itself; nothing where that has shown no credential. */
export function CallerMark({ caller }: { readonly caller: string }) {
  return caller === "" ? null : (
    <>
      {" "}
      <span class="faint">{caller}</span>
    </>
  );
}
