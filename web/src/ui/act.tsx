// Dialogs that do one thing: they ask first, do it, and say what went wrong.

import type { ReactNode } from "react";
import { Button, Dialog, ErrorNote } from "./kit";

interface Act {
  title: string;
  /** What the button says that does it. */
  does: string;
  doing: { isPending: boolean; error: unknown; mutate: (nothing: void) => void };
  onClose: () => void;
  children: ReactNode;
  look?: "primary" | "danger";
  /** What the button says that leaves everything as it is. */
  leave?: string;
  /** Another button, apart from the two. */
  aside?: ReactNode;
  /** Under what went wrong: a way out of it. */
  remedy?: ReactNode;
}

export function ActDialog({ ready = true, ...act }: Act & { ready?: boolean }) {
  const { title, does, doing, onClose, children, look = "primary", leave = "Cancel", aside, remedy } = act;
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      footer={
        <>
          {aside}
          {/* What cannot be undone is not what Enter does. */}
          <Button onClick={onClose} data-focus={look === "danger" ? "" : undefined}>
            {leave}
          </Button>
          <Button look={look} busy={doing.isPending} disabled={!ready} onClick={() => doing.mutate()}>
            {does}
          </Button>
        </>
      }
    >
      {children}
      {doing.error ? (
        <div className="dialog-error">
          <ErrorNote error={doing.error} />
          {remedy}
        </div>
      ) : null}
    </Dialog>
  );
}

/** With fields; Enter does it once they can be taken. */
export function FormDialog({ valid, children, ...act }: Act & { valid: boolean }) {
  return (
    <ActDialog {...act} ready={valid}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (valid && !act.doing.isPending) act.doing.mutate();
        }}
      >
        {children}
        <button type="submit" hidden />
      </form>
    </ActDialog>
  );
}
