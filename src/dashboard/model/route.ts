/** What the page shows, and its address: all that a link shall bring back stands behind the `#`. */

export type View =
  | { readonly kind: "overview" }
  | { readonly kind: "limiter"; readonly name: string }
  | { readonly kind: "boards" }
  | { readonly kind: "board"; readonly name: string }
  | { readonly kind: "server" };

export interface Route {
  readonly view: View;
  /** Of the overview: part of a name, or of what the limiter is for. */
  readonly filter: string;
  /** Of the overview: the column, `-` before it for downwards. Empty: by trouble. */
  readonly sort: string;
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [room = "", ...rest] = path.split("/");
  const words = new URLSearchParams(query);
  return {
    view: viewOf(room, decode(rest.join("/"))),
    filter: words.get("filter") ?? "",
    sort: words.get("sort") ?? "",
  };
}

export function formatRoute({ view, filter = "", sort = "" }: Partial<Route> & Pick<Route, "view">): string {
  const query = new URLSearchParams();
  if (filter !== "") query.set("filter", filter);
  if (sort !== "") query.set("sort", sort);
  return `#/${pathOf(view)}${query.size > 0 ? `?${query}` : ""}`;
}

function viewOf(room: string, name: string): View {
  switch (room) {
    case "limiters":
      return name === "" ? { kind: "overview" } : { kind: "limiter", name };
    case "boards":
      return name === "" ? { kind: "boards" } : { kind: "board", name };
    case "server":
      return { kind: "server" };
    default:
      return { kind: "overview" };
  }
}

function pathOf(view: View): string {
  switch (view.kind) {
    case "overview":
      return "";
    case "limiter":
      return `limiters/${encode(view.name)}`;
    case "boards":
      return "boards";
    case "board":
      return `boards/${encode(view.name)}`;
    case "server":
      return "server";
  }
}

/** Names may have slashes, which are left as people write them. */
function encode(name: string): string {
  return name.split("/").map(encodeURIComponent).join("/");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
