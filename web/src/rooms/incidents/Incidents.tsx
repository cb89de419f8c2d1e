import { useLocation } from "react-router";
import { PageHeader, Tabs, useTitle } from "@/ui/kit";
import { IncidentList } from "./IncidentList";
import { Receivers } from "./Receivers";
import { Silences } from "./Silences";
import "./incidents.css";

export function Component() {
  const { pathname } = useLocation();
  const tab = pathname.split("/")[2] ?? "";
  useTitle("Incidents");
  return (
    <div className={tab === "" ? "page fill" : "page"}>
      <PageHeader title="Incidents" lead="What monitors found, what changed before it, and who was told.">
        <Tabs
          label="Incidents"
          tabs={[
            { to: "/incidents", label: "Incidents", active: tab === "" },
            { to: "/incidents/receivers", label: "Receivers", active: tab === "receivers" },
            { to: "/incidents/silences", label: "Silences", active: tab === "silences" },
          ]}
        />
      </PageHeader>
      {tab === "receivers" ? <Receivers /> : tab === "silences" ? <Silences /> : <IncidentList />}
    </div>
  );
}
