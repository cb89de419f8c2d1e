import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "mainspring.theme";
const watchers = new Set<() => void>();

function read(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Then it holds for this page only.
  }
  watchers.forEach((tell) => tell());
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => watchers.forEach((tell) => tell()));

const subscribe = (tell: () => void) => {
  watchers.add(tell);
  return () => watchers.delete(tell);
};

export const useTheme = (): Theme => useSyncExternalStore(subscribe, read);
/** What is on the screen: canvases must be redrawn when it changes. */
export const useShownTheme = (): "light" | "dark" =>
  useSyncExternalStore(subscribe, () => {
    const theme = read();
    return theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  });
