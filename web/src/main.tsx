import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";
import { RouterProvider } from "react-router/dom";
import { queryClient } from "./api/queries";
import { Shell } from "./shell/Shell";
import { Lost, RouteError } from "./shell/RouteError";
import "./styles/index.css";

const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <RouteError whole />,
    hydrateFallbackElement: <></>,
    children: [
      {
        errorElement: <RouteError />,
        children: [
          { index: true, lazy: () => import("./rooms/home/Home") },
          { path: "playground/:app?", lazy: () => import("./rooms/playground/Playground") },
          { path: "knowledge", lazy: () => import("./rooms/knowledge/KnowledgeList") },
          { path: "knowledge/:name/documents/:id", lazy: () => import("./rooms/knowledge/DocumentPage") },
          { path: "knowledge/:name/runs/:id", lazy: () => import("./rooms/knowledge/RunPage") },
          { path: "knowledge/:name/:tab?", lazy: () => import("./rooms/knowledge/KnowledgePage") },
          { path: "traces", lazy: () => import("./rooms/traces/TraceList") },
          { path: "traces/live", lazy: () => import("./rooms/traces/Tail") },
          { path: "traces/logs", lazy: () => import("./rooms/traces/LogList") },
          { path: "traces/diff", lazy: () => import("./rooms/traces/DiffPage") },
          { path: "traces/conventions", lazy: () => import("./rooms/traces/Conventions") },
          { path: "traces/:id", lazy: () => import("./rooms/traces/TracePage") },
          { path: "sessions", lazy: () => import("./rooms/traces/SessionList") },
          { path: "sessions/:id", lazy: () => import("./rooms/traces/SessionPage") },
          { path: "users", lazy: () => import("./rooms/traces/UserList") },
          { path: "monitors", lazy: () => import("./rooms/monitors/MonitorList") },
          { path: "monitors/:name", lazy: () => import("./rooms/monitors/MonitorPage") },
          { path: "incidents", lazy: () => import("./rooms/incidents/Incidents") },
          { path: "incidents/receivers", lazy: () => import("./rooms/incidents/Incidents") },
          { path: "incidents/silences", lazy: () => import("./rooms/incidents/Incidents") },
          { path: "incidents/:id", lazy: () => import("./rooms/incidents/IncidentPage") },
          { path: "dashboards/:name?", lazy: () => import("./rooms/dashboards/Dashboards") },
          { path: "observe/metrics", lazy: () => import("./rooms/metrics/MetricList") },
          { path: "observe/metrics/:name", lazy: () => import("./rooms/metrics/MetricPage") },
          { path: "sql", lazy: () => import("./rooms/sql/Sql") },
          { path: "drift", lazy: () => import("./rooms/drift/DriftPage") },
          { path: "models/:tab?", lazy: () => import("./rooms/gateway/Gateway") },
          { path: "assets/:kind?", lazy: () => import("./rooms/assets/AssetList") },
          { path: "assets/:kind/:name/:tab?", lazy: () => import("./rooms/assets/AssetPage") },
          { path: "settings/:tab?", lazy: () => import("./rooms/settings/Settings") },
          { path: "*", element: <Lost /> },
        ],
      },
    ],
  },
]);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
