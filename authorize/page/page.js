// Keeps an open page true: it reloads when the link was used on another device, and before its way to WeChat goes stale.
// The page works without it.
(() => {
  "use strict";
  const { state, seconds } = document.body.dataset;
  const stale = document.getElementById("stale");
  const life = Math.max(Number(seconds) - 30, 20) * 1000;
  const opened = Date.now();
  let pause = 3000;

  const old = () => Date.now() - opened > life;

  const look = async () => {
    if (document.visibilityState === "visible") {
      if (old()) {
        stale.hidden = false;
        location.reload();
        return;
      }
      try {
        const answer = await fetch(state, { cache: "no-store" });
        if (answer.ok && !(await answer.json()).open) {
          location.reload();
          return;
        }
        pause = 3000;
      } catch {
        pause = Math.min(pause * 2, 60000); // offline: ask less often
      }
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && old()) location.reload();
  });
})();
