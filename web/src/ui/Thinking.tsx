/** Nothing has come yet; `children` says so to those who do not see the dots. */
export function Thinking({ children }: { children: string }) {
  return (
    <p className="thinking" role="status">
      <span className="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span className="sr-only">{children}</span>
    </p>
  );
}
