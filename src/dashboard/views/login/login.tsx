/** Asks for a token. It goes from its field to the server, and stays nowhere. */

import { useEffect, useRef, useState } from "preact/hooks";
import { usePage } from "../../ui/context.ts";

export function LoginPage() {
  const { account } = usePage();
  const field = useRef<HTMLInputElement>(null);
  const [state, setState] = useState({ running: false, failure: "" });
  useEffect(() => field.current?.focus(), []);
  const logIn = async (event: Event) => {
    event.preventDefault();
    const { current: input } = field;
    if (input === null || state.running) return;
    const token = input.value;
    input.value = "";
    setState({ running: true, failure: "" });
    const failure = await account.logIn(token).then(
      (counts) => (counts ? "" : REFUSED),
      (error: Error) => error.message,
    );
    setState({ running: failure === "", failure });
    input.focus();
  };
  if (!window.isSecureContext) {
    return (
      <>
        <h1>Who are you?</h1>
        <p>
          The server shows its figures to callers that it knows. A browser keeps a login for a page that came by HTTPS,
          or from its own machine, and this one has not: open it by https:// (<code>tls</code> in the server's file, or
          a proxy), or by localhost.
        </p>
      </>
    );
  }
  return (
    <form onSubmit={logIn} aria-labelledby="login">
      <h1 id="login">Who are you?</h1>
      <p>
        The server shows its figures to callers that it knows: log in by a token that an operator has handed out (
        <code>backpressure token</code>), or by a signed one. It is sent to the server and kept nowhere in this page.
      </p>
      {state.failure !== "" && (
        <p class="alarming" role="alert">
          {state.failure}
        </p>
      )}
      <p class="tools">
        <label>
          Token <input ref={field} type="password" autocomplete="off" spellcheck={false} required />
        </label>
        <button type="submit" disabled={state.running}>
          Log in
        </button>
      </p>
    </form>
  );
}

const REFUSED = "This token does not count, or too many were wrong from this address: one a second is looked at then.";
