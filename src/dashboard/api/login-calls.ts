/** Who this page's calls are made by, and how that is changed. Its token goes to the server and is kept nowhere here. */

export interface LoginCalls {
  /** Undefined: the server asks who calls, and does not know. Rejects where it does not answer. */
  who(): Promise<Self | undefined>;
  /** False: the token does not count. Rejects with what else was wrong. */
  logIn(token: string): Promise<boolean>;
  logOut(): Promise<void>;
}

/** As `GET /login` says it. */
export interface Self {
  readonly caller: string;
  readonly kind: "certificate" | "jwt" | "token" | "anonymous";
  /** Whether it can log out. */
  readonly byLogin: boolean;
  /** Whether it could log in. */
  readonly asks: boolean;
}

const UNAUTHENTICATED = 401;

export function createLoginCalls(baseUrl: string): LoginCalls {
  async function ask(path: string, body?: object): Promise<unknown> {
    const sent = body && {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    };
    const response = await fetch(`${baseUrl}/${path}`, sent);
    if (response.status === UNAUTHENTICATED) return undefined;
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.message);
    return answer;
  }
  return {
    who: async () => (await ask("login")) as Self | undefined,
    logIn: async (token) => (await ask("login", { token })) !== undefined,
    logOut: async () => void (await ask("logout", {})),
  };
}
