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
          { path: "traces/:id", lazy: () => import("./rooms/traces/TracePage") },
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
