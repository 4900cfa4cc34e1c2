/** An act: says before what it will do, does it, and says after what it did. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { failureText } from "../api/failure.ts";
import { usePage } from "./context.ts";

export interface ActDialogProps {
  readonly title: string;
  /** What will come of it, and what the operator may choose. */
  readonly children: ComponentChildren;
  readonly confirm: string;
  /** What it takes cannot be given back. */
  readonly grave?: boolean;
  readonly isReady?: boolean;
  /** Does it; resolves with what was done, in a sentence. */
  readonly run: () => Promise<string>;
  readonly onClose: () => void;
}

export function ActDialog({ title, children, confirm, grave = false, isReady = true, run, onClose }: ActDialogProps) {
  const { notices } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const [state, setState] = useState<{ readonly running: boolean; readonly failure: string }>(IDLE);
  useEffect(() => dialog.current?.showModal(), []);
  const act = async (event: Event) => {
    event.preventDefault();
    setState({ running: true, failure: "" });
    try {
      const done = await run();
      notices.say({ kind: "done", text: done });
      dialog.current?.close();
    } catch (error) {
      setState({ running: false, failure: failureText(error) });
    }
  };
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="act-title">
      <form onSubmit={act}>
        <h2 id="act-title">{title}</h2>
        {children}
        {state.failure !== "" && (
          <p class="alarming" role="alert">
            Not done: {state.failure}
          </p>
        )}
        <p class="tools">
          <button type="submit" class={grave ? "grave" : undefined} disabled={state.running || !isReady}>
            {confirm}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Leave it
          </button>
        </p>
      </form>
    </dialog>
  );
}

const IDLE = { running: false, failure: "" };
