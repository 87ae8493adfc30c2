// Keeps an open page true: it shows what became of the link on another device, and when the pre-auth code in its way to
// WeChat is too old, the way leads by a page of ours that gets a new one. The pages work without it.
(() => {
  "use strict";
  const { state, again, renew } = document.body.dataset;
  const go = document.getElementById("go");
  const trouble = document.getElementById("trouble");
  const print = document.getElementById("print");

  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
  if (!go || !state) return;

  const opened = Date.now();
  // By the clock, not by a timer alone: phones stop timers when they sleep.
  const freshen = () => {
    if (Date.now() - opened >= Number(renew) * 1000) go.href = again;
  };
  setInterval(freshen, 1000);
  for (const name of ["pointerdown", "keydown", "click"]) go.addEventListener(name, freshen, true);
  for (const name of ["visibilitychange", "focus"]) document.addEventListener(name, freshen);
  // Back from WeChat's page by the browser's button: that code may have been used there.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) go.href = again;
  });

  let pause = 3000;
  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(state, { cache: "no-store" });
        if (answer.status === 404) return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        const link = await answer.json();
        if (!link.open) return location.reload();
        trouble.textContent = link.error;
        trouble.hidden = !link.error;
        pause = 3000;
      } catch {
        pause = Math.min(pause * 2, 60000); // offline, or too many pages behind this address: ask less often
      }
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
})();
