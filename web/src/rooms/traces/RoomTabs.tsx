import { Tabs } from "@/ui/kit";

const TABS = [
  { to: "/traces", label: "Traces" },
  { to: "/sessions", label: "Sessions" },
  { to: "/users", label: "Users" },
  { to: "/traces/logs", label: "Logs" },
  { to: "/traces/live", label: "Live" },
] as const;

/** The lists of what was recorded. */
export function RoomTabs({ at }: { at: (typeof TABS)[number]["to"] }) {
  return <Tabs label="Traces" tabs={TABS.map((tab) => ({ ...tab, active: tab.to === at }))} />;
}
