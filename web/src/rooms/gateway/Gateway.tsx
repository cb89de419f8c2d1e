import { useParams } from "react-router";
import { PageHeader, Tabs, useTitle } from "@/ui/kit";
import { Batches } from "./Batches";
import { Calls } from "./Calls";
import { Compare } from "./Compare";
import { Limits } from "./Limits";
import { Live } from "./Live";
import { Routes } from "./Routes";
import { Usage } from "./Usage";
import "./gateway.css";

/** These scroll inside, not as a whole. */
const FILLING = new Set(["calls", "live", "compare"]);

export function Component() {
  const { tab = "routes" } = useParams();
  useTitle("Models");
  return (
    <div className={FILLING.has(tab) ? "page fill" : "page"}>
      <PageHeader title="Models" lead="Providers' models behind one address: who answers, what it costs, and what it may cost.">
        <Tabs
          label="Models"
          tabs={[
            { to: "/models", label: "Routes", active: tab === "routes" },
            { to: "/models/live", label: "Live", active: tab === "live" },
            { to: "/models/compare", label: "Compare", active: tab === "compare" },
            { to: "/models/usage", label: "Usage", active: tab === "usage" },
            { to: "/models/calls", label: "Calls", active: tab === "calls" },
            { to: "/models/batches", label: "Batches", active: tab === "batches" },
            { to: "/models/limits", label: "Limits", active: tab === "limits" },
          ]}
        />
      </PageHeader>
      <Shown tab={tab} />
    </div>
  );
}

function Shown({ tab }: { tab: string }) {
  switch (tab) {
    case "live":
      return <Live />;
    case "compare":
      return <Compare />;
    case "usage":
      return <Usage />;
    case "calls":
      return <Calls />;
    case "batches":
      return <Batches />;
    case "limits":
      return <Limits />;
    default:
      return <Routes />;
  }
}
