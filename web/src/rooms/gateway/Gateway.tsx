import { useParams } from "react-router";
import { PageHeader, Tabs, useTitle } from "@/ui/kit";
import { Calls } from "./Calls";
import { Limits } from "./Limits";
import { Routes } from "./Routes";
import { Usage } from "./Usage";
import "./gateway.css";

export function Component() {
  const { tab = "routes" } = useParams();
  useTitle("Models");
  return (
    <div className={tab === "calls" ? "page fill" : "page"}>
      <PageHeader title="Models" lead="Providers' models behind one address: who answers, what it costs, and what it may cost.">
        <Tabs
          label="Models"
          tabs={[
            { to: "/models", label: "Routes", active: tab === "routes" },
            { to: "/models/usage", label: "Usage", active: tab === "usage" },
            { to: "/models/calls", label: "Calls", active: tab === "calls" },
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
    case "usage":
      return <Usage />;
    case "calls":
      return <Calls />;
    case "limits":
      return <Limits />;
    default:
      return <Routes />;
  }
}
