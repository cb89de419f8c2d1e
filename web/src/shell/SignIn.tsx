import { useState } from "react";
import { session } from "@/api/client";
import { queryClient } from "@/api/queries";
import { Mark } from "@/ui/icons";
import { Field } from "@/ui/fields";
import { Button, useTitle } from "@/ui/kit";

/** Shown when the server asks who is there. */
export function SignIn() {
  const [key, setKey] = useState("");
  const [had] = useState(session.hasKey);
  useTitle("Sign in");
  return (
    <div className="sign-in">
      <Mark size={36} />
      <h1>Sign in</h1>
      <p>This server listens beyond this machine, so it asks for a key. It is kept for this browser tab only.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          session.signIn(key.trim());
          void queryClient.resetQueries();
        }}
      >
        <Field
          label="API key"
          error={had ? "The key was not accepted: it may be revoked, expired or mistyped." : null}
          hint={
            <>
              An admin makes one with <code>mainspring keys create</code>.
            </>
          }
        >
          {(ids) => (
            <input
              {...ids}
              className="input mono"
              type="password"
              autoFocus
              autoComplete="current-password"
              value={key}
              placeholder="msk_…"
              onChange={(event) => setKey(event.target.value)}
            />
          )}
        </Field>
        <Button look="primary" type="submit" disabled={key.trim() === ""}>
          Sign in
        </Button>
      </form>
    </div>
  );
}
