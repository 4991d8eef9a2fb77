// Light, dark or as the system is: kept in this browser, and set before anything is painted.
{
  const KEY = "headway theme";
  const known = ["light", "dark"];
  const look = (theme) => {
    if (known.includes(theme)) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  const kept = () => {
    try {
      return localStorage.getItem(KEY) ?? "";
    } catch {
      return ""; // a browser that keeps nothing
    }
  };
  look(kept());
  addEventListener("storage", (event) => event.key === KEY && look(event.newValue)); // another tab has chosen
  addEventListener("headway-theme", (event) => {
    look(event.detail);
    try {
      localStorage.setItem(KEY, event.detail);
    } catch {
      // It holds as long as the page does.
    }
  });
}
