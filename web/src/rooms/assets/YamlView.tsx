import { memo } from "react";

/** YAML with its keys in the accent's colour. */
export const YamlView = memo(function YamlView({ text }: { text: string }) {
  return (
    <pre className="code-block yaml" tabIndex={0}>
      {text.split("\n").map((line, i) => (
        <YamlLine key={i} line={line} />
      ))}
    </pre>
  );
});

function YamlLine({ line }: { line: string }) {
  const found = /^(\s*(?:- )*)("(?:[^"\\]|\\.)*"|[A-Za-z_/][\w ./@+()-]*)(:)(?= |$)(.*)$/.exec(line);
  return (
    <span className="yaml-line">
      {found ? (
        <>
          {found[1]}
          <span className="yaml-key">{found[2]}</span>
          {found[3]}
          {found[4]}
        </>
      ) : (
        line
      )}
      {"\n"}
    </span>
  );
}
