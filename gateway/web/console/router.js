// Which view the address names. Links within the console change the address without loading the page again.

/** Return the view of `views` that the address names, and the named groups of its path; null if there is none. */
export function found(views) {
  for (const view of views) {
    const match = view.path.exec(location.pathname.replace(/(.)\/$/, "$1"));
    if (match) return { view, parameters: decoded(match.groups ?? {}) };
  }
  return null;
}

/** Go to an address of the console. */
export function navigate(path) {
  if (path === location.pathname + location.search) return;
  history.pushState(null, "", path);
  dispatchEvent(new Event("navigate"));
}

/** Catch clicks on links to the console, and call `show` whenever the address has changed. */
export function route(show) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || !isPlain(event) || link.target || link.hasAttribute("download")) return;
    const { origin, pathname, search, hash } = new URL(link.href);
    if (origin !== location.origin || hash || !/^\/console(\/|$)/.test(pathname)) return;
    event.preventDefault();
    navigate(pathname + search);
  });
  addEventListener("navigate", show);
  addEventListener("popstate", show);
}

/** Return true for a click that a browser answers by opening the link in this tab. */
function isPlain(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

function decoded(groups) {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    return groups; // a lone % in the address
  }
}
