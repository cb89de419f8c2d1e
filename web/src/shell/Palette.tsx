import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { queries } from "@/api/queries";
import { fuzzy } from "@/lib/fuzzy";
import { setTheme } from "@/lib/theme";
import { Icon, type IconName } from "@/ui/icons";
import { cx, Dialog, Keys } from "@/ui/kit";
import { ROOMS } from "./Shell";

interface Command {
  id: string;
  label: string;
  group: string;
  icon: IconName;
  keys?: string;
  note?: string;
  run: () => void;
}

export function Palette({ open, onClose, openHelp }: { open: boolean; onClose: () => void; openHelp: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Command palette" bare>
      <Inner onClose={onClose} openHelp={openHelp} />
    </Dialog>
  );
}

function useCommands(openHelp: () => void): Command[] {
  const navigate = useNavigate();
  const overview = useQuery({ ...queries.overview(), refetchInterval: false });
  return useMemo(() => {
    const go = (to: string) => () => void navigate(to);
    const rooms = ROOMS.map((r): Command => ({
      id: r.to,
      label: `Go to ${r.label.toLowerCase()}`,
      group: "Go to",
      icon: r.icon,
      keys: r.keys,
      run: go(r.to),
    }));
    const apps = (overview.data?.apps ?? []).map((a): Command => ({
      id: `app/${a.name}`,
      label: `Ask ${a.name}`,
      group: "Apps",
      icon: "chat",
      note: a.description ?? "",
      run: go(`/playground/${a.name}`),
    }));
    const knowledge = (overview.data?.knowledge ?? []).flatMap((k): Command[] => [
      {
        id: `k/${k.name}`,
        label: `Open ${k.name}`,
        group: "Knowledge",
        icon: "book",
        note: `${k.documents} documents`,
        run: go(`/knowledge/${k.name}`),
      },
      { id: `s/${k.name}`, label: `Search in ${k.name}`, group: "Knowledge", icon: "search", run: go(`/knowledge/${k.name}/search`) },
    ]);
    const actions: Command[] = [
      { id: "errors", label: "Traces with errors", group: "Actions", icon: "error", run: go("/traces?status=error") },
      { id: "slow", label: "Slow traces (over 2 s)", group: "Actions", icon: "clock", run: go("/traces?min_ms=2000") },
      { id: "sessions", label: "Sessions and their turns", group: "Actions", icon: "chat", run: go("/sessions") },
      { id: "logs", label: "Logs that programs send", group: "Actions", icon: "trace", run: go("/traces/logs") },
      { id: "tail", label: "Watch traces live", group: "Actions", icon: "trace", run: go("/traces/live") },
      { id: "conventions", label: "What programs send", group: "Actions", icon: "trace", run: go("/traces/conventions") },
      { id: "live", label: "Watch calls live", group: "Actions", icon: "swap", run: go("/models/live") },
      { id: "compare", label: "Compare models", group: "Actions", icon: "diff", run: go("/models/compare") },
      { id: "new-key", label: "Create an API key", group: "Actions", icon: "key", run: go("/settings/keys") },
      { id: "help", label: "Keyboard shortcuts", group: "Actions", icon: "help", keys: "?", run: openHelp },
      { id: "light", label: "Theme: light", group: "Theme", icon: "sun", run: () => setTheme("light") },
      { id: "dark", label: "Theme: dark", group: "Theme", icon: "moon", run: () => setTheme("dark") },
      { id: "system", label: "Theme: as the system", group: "Theme", icon: "system", run: () => setTheme("system") },
    ];
    return [...rooms, ...apps, ...knowledge, ...actions];
  }, [navigate, openHelp, overview.data]);
}

function Inner({ onClose, openHelp }: { onClose: () => void; openHelp: () => void }) {
  const navigate = useNavigate();
  const commands = useCommands(openHelp);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);

  const found = useMemo(() => {
    const trimmed = query.trim();
    const extra: Command[] = [];
    if (/^[0-9a-f]{32}$/i.test(trimmed)) {
      extra.push({
        id: "trace",
        label: `Open trace ${trimmed}`,
        group: "Traces",
        icon: "trace",
        run: () => void navigate(`/traces/${trimmed.toLowerCase()}`),
      });
    } else if (trimmed.length > 1) {
      extra.push({
        id: "find-traces",
        label: `Find “${trimmed}” in traces`,
        group: "Traces",
        icon: "trace",
        run: () => void navigate(`/traces?q=${encodeURIComponent(trimmed)}`),
      });
    }
    const scored = commands
      .map((command) => ({ command, score: fuzzy(trimmed, `${command.label} ${command.group}`) }))
      .filter((s): s is { command: Command; score: number } => s.score !== null);
    if (trimmed) scored.sort((a, b) => b.score - a.score);
    return [...scored.map((s) => s.command), ...extra];
  }, [commands, navigate, query]);

  const current = Math.min(at, found.length - 1);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [current]);

  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const grouped = query.trim() === "";
  return (
    <div className="palette">
      <div className="palette-input">
        <Icon name="search" />
        <input
          autoFocus
          value={query}
          placeholder="Where to, or what to do?"
          aria-label="Command"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[current] ? `cmd-${current}` : undefined}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => {
            setQuery(event.target.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            const step =
              event.key === "ArrowDown" || (event.ctrlKey && event.key === "n")
                ? 1
                : event.key === "ArrowUp" || (event.ctrlKey && event.key === "p")
                  ? -1
                  : 0;
            if (step !== 0) {
              event.preventDefault();
              setAt((current + step + found.length) % Math.max(1, found.length));
            } else if (event.key === "Enter") {
              event.preventDefault();
              run(found[current]);
            }
          }}
        />
        <kbd>Esc</kbd>
      </div>
      <ul ref={list} id="palette-list" role="listbox" aria-label="Commands">
        {found.map((command, i) => (
          <li key={command.id} role="presentation">
            {grouped && command.group !== found[i - 1]?.group && <div className="palette-group">{command.group}</div>}
            <div
              id={`cmd-${i}`}
              role="option"
              aria-selected={i === current}
              className={cx("palette-item", i === current && "on")}
              onMouseMove={() => setAt(i)}
              onClick={() => run(command)}
            >
              <Icon name={command.icon} />
              <span className="palette-label">{command.label}</span>
              {command.note && <span className="palette-note">{command.note}</span>}
              {command.keys && <Keys keys={command.keys} />}
            </div>
          </li>
        ))}
        {found.length === 0 && <li className="palette-none">Nothing matches “{query}”.</li>}
      </ul>
    </div>
  );
}
