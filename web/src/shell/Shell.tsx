import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Link, NavLink, Outlet, useLocation, useNavigate, useNavigation } from "react-router";
import { project as projects, session } from "@/api/client";
import { queries } from "@/api/queries";
import { isMac, useShortcuts, type Shortcut } from "@/lib/keys";
import { setTheme, useTheme, type Theme } from "@/lib/theme";
import { Icon, Mark, type IconName } from "@/ui/icons";
import { Badge, cx, IconButton, Keys, Status } from "@/ui/kit";
import { Toasts } from "@/ui/toasts";
import { Help } from "./Help";
import { Palette } from "./Palette";
import { SignIn } from "./SignIn";

export const ROOMS: { to: string; label: string; icon: IconName; keys: string }[] = [
  { to: "/", label: "Home", icon: "home", keys: "g h" },
  { to: "/playground", label: "Playground", icon: "chat", keys: "g p" },
  { to: "/knowledge", label: "Knowledge", icon: "book", keys: "g k" },
  { to: "/traces", label: "Traces", icon: "trace", keys: "g t" },
  { to: "/dashboards", label: "Dashboards", icon: "chart", keys: "g d" },
  { to: "/observe/metrics", label: "Metrics", icon: "bolt", keys: "g e" },
  { to: "/monitors", label: "Monitors", icon: "target", keys: "g w" },
  { to: "/drift", label: "Drift", icon: "diff", keys: "g r" },
  { to: "/incidents", label: "Incidents", icon: "bell", keys: "g i" },
  { to: "/models", label: "Models", icon: "swap", keys: "g m" },
  { to: "/assets", label: "Assets", icon: "layers", keys: "g a" },
  { to: "/settings", label: "Settings", icon: "sliders", keys: "g s" },
];

const THEMES: Record<Theme, { next: Theme; icon: IconName; label: string }> = {
  system: { next: "light", icon: "system", label: "Theme: as the system" },
  light: { next: "dark", icon: "sun", label: "Theme: light" },
  dark: { next: "system", icon: "moon", label: "Theme: dark" },
};

export function Shell() {
  const navigate = useNavigate();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const theme = THEMES[useTheme()];
  const refused = useSyncExternalStore(session.subscribe, session.isRefused);

  useShortcuts([
    { keys: "mod+k", label: "Command palette", group: "Anywhere", whileTyping: true, run: () => setPalette((open) => !open) },
    { keys: "?", label: "Keyboard shortcuts", group: "Anywhere", run: () => setHelp(true) },
    { keys: "/", label: "Search on this page", group: "Anywhere", run: focusSearch },
    { keys: "t t", label: "Change theme", group: "Anywhere", run: () => setTheme(theme.next) },
    ...ROOMS.map((room): Shortcut => ({
      keys: room.keys,
      label: `Go to ${room.label.toLowerCase()}`,
      group: "Go to",
      run: () => void navigate(room.to),
    })),
  ]);

  const themeButton = <IconButton icon={theme.icon} label={theme.label} onClick={() => setTheme(theme.next)} />;
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to content
      </a>
      <Progress />
      <aside className="sidebar">
        <Link to="/" className="brand" aria-label="Mainspring, home">
          <Mark />
          <span>Mainspring</span>
        </Link>
        <button type="button" className="palette-button" onClick={() => setPalette(true)}>
          <Icon name="search" size={14} />
          <span>Search or jump to…</span>
          <Keys keys="mod+k" />
        </button>
        <Rooms />
        <div className="sidebar-foot">
          <ServerState />
          <div className="sidebar-tools">
            {themeButton}
            <IconButton icon="help" label={`Keyboard shortcuts (?)`} onClick={() => setHelp(true)} />
          </div>
        </div>
      </aside>
      <div className="topbar">
        <Link to="/" className="brand" aria-label="Mainspring, home">
          <Mark />
          <span>Mainspring</span>
        </Link>
        <span className="grow" />
        <IconButton icon="search" label={`Search or jump to (${isMac ? "⌘" : "Ctrl "}K)`} onClick={() => setPalette(true)} />
        {themeButton}
      </div>
      <main id="main" className="main" tabIndex={-1}>
        {refused ? <SignIn /> : <Outlet />}
      </main>
      <RoomFocus />
      <Palette open={palette} onClose={() => setPalette(false)} openHelp={() => setHelp(true)} />
      <Help open={help} onClose={() => setHelp(false)} />
      <Toasts />
    </div>
  );
}

function Rooms() {
  // Lists of what was recorded, under addresses of their own.
  const { pathname } = useLocation();
  const within = /^\/(sessions|users)(\/|$)/.test(pathname);
  const nav = useRef<HTMLElement>(null);
  // On a phone they are a bar that is longer than the screen.
  useEffect(() => {
    // Browsers have begun to answer with a promise, and what an effect answers with is called when it ends.
    nav.current?.querySelector(".on")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [pathname]);
  return (
    <nav ref={nav} className="rooms-nav" aria-label="Rooms">
      {ROOMS.map((room) => (
        <NavLink
          key={room.to}
          to={room.to}
          end={room.to === "/"}
          className={({ isActive }) => cx("room-link", (isActive || (room.to === "/traces" && within)) && "on")}
        >
          <Icon name={room.icon} />
          <span>{room.label}</span>
          {room.to === "/incidents" && <OpenIncidents />}
          <Keys keys={room.keys} />
        </NavLink>
      ))}
    </nav>
  );
}

/** How many incidents are open; nothing where none is, or where they may not be seen. */
function OpenIncidents() {
  const open = useQuery(queries.openIncidents());
  const shown = open.data?.items.length ?? 0;
  if (shown === 0) return null;
  return (
    <Badge tone="bad" title={`${shown}${open.data?.next ? " or more" : ""} open`}>
      {`${shown}${open.data?.next ? "+" : ""}`}
      <span className="sr-only"> open</span>
    </Badge>
  );
}

function ServerState() {
  const overview = useQuery(queries.overview());
  const worst = overview.data?.health.find((h) => h.state === "down") ?? overview.data?.health.find((h) => h.state === "degraded");
  const sick = overview.data?.health.filter((h) => h.state === worst?.state).length;
  return (
    <div className="server-state">
      {overview.data && <Project name={overview.data.project} all={overview.data.projects.map((p) => p.name)} />}
      {session.isRefused() ? (
        <Status tone="neutral">Signed out</Status>
      ) : overview.isError ? (
        <Status tone="bad">{overview.data ? "Connection lost" : "Not connected"}</Status>
      ) : !overview.data ? (
        <Status tone="neutral">Connecting…</Status>
      ) : worst ? (
        <Link to="/" title={`${worst.component}: ${worst.detail ?? worst.state}`}>
          <Status tone={worst.state === "down" ? "bad" : "warn"}>{`${sick} ${worst.state}`}</Status>
        </Link>
      ) : (
        <Status tone="ok">All healthy</Status>
      )}
    </div>
  );
}

/** Where there are several, all pages follow the one that is chosen here. */
function Project({ name, all }: { name: string; all: string[] }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  if (all.length < 2) return <span className="server-project">{name}</span>;
  const choose = (to: string) => {
    projects.choose(to);
    void navigate("/");
    void client.resetQueries();
  };
  return (
    <label className="server-project choose-project">
      <span className="sr-only">Project</span>
      <select value={name} onChange={(event) => choose(event.target.value)}>
        {all.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <Icon name="down" size={12} />
    </label>
  );
}

/** A thin line while the next room's code is on its way. */
function Progress() {
  const { state } = useNavigation();
  return <div className={cx("nav-progress", state !== "idle" && "on")} role="presentation" />;
}

/** After a change of room, screen readers and the keyboard start at its heading. */
function RoomFocus() {
  const { pathname } = useLocation();
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    const inside = document.activeElement?.closest("main");
    if (!inside) document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
    document.getElementById("main")?.scrollTo({ top: 0 });
  }, [pathname]);
  return null;
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>(
    "main [data-search] input, main .search-field input, main input[type=search], main textarea",
  );
  field?.focus();
  field?.select();
}
