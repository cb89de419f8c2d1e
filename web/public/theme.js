// Runs before the first paint, so that a chosen theme does not flash. Kept out of the page itself: the policy allows no inline scripts.
try {
  const chosen = localStorage.getItem("mainspring.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden; then the system's theme is used.
}
