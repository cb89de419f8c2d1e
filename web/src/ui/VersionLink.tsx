import { Link } from "react-router";

/** `prompt/answer@v3#sha256:…` */
export function VersionLink({ version }: { version: string }) {
  const found = /^([a-z]+)\/([^@#]+)(?:@v(\d+))?(?:#(?:sha256:)?(.*))?$/.exec(version);
  if (!found) return <code className="soft">{version}</code>;
  const [, kind, name, number, digest] = found;
  const label = (
    <>
      <span className="muted">{kind}</span> <span className="strong">{name}</span>
      {number && <span className="soft"> v{number}</span>} {digest && <code className="muted">{digest.slice(0, 8)}</code>}
    </>
  );
  return number ? <Link to={`/assets/${kind}/${name}?version=${number}`}>{label}</Link> : <span>{label}</span>;
}
