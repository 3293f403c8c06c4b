// What is read again and again while somebody looks at it, because no stream of events has it.

/**
 * Call `read`, and again `ms` after it has ended, while the page is visible; also as soon as the page becomes visible. Return
 * a function that stops it.
 */
export function polled(read, ms) {
  let timer = null;
  let isRunning = false;

  async function run() {
    clearTimeout(timer);
    if (document.hidden || isRunning) return;
    isRunning = true;
    await read();
    isRunning = false;
    if (timer !== undefined) timer = setTimeout(run, ms);
  }

  document.addEventListener("visibilitychange", run);
  run();
  return () => {
    document.removeEventListener("visibilitychange", run);
    clearTimeout(timer);
    timer = undefined;
  };
}
