import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { queries } from "@/api/queries";
import type { Score } from "@/api/types";
import { scoreValue, shownScore } from "@/lib/scores";
import { Field } from "@/ui/fields";
import { Button, cx, Dialog, Empty, ErrorNote, IconButton, Loaded, Time } from "@/ui/kit";
import { toast } from "@/ui/toasts";

/** Feedback of whoever looks at this page: the last one counts. */
const WHO = "page";

/** What is known of scores is asked again wherever it is shown. */
function useScoresChanged(trace: string) {
  const client = useQueryClient();
  return () => {
    void client.invalidateQueries({ queryKey: ["scores", trace] });
    void client.invalidateQueries({ queryKey: ["trace", trace, "tree"] });
    void client.invalidateQueries({ queryKey: ["traces"] });
  };
}

export function Thumbs({ trace }: { trace: string }) {
  const changed = useScoresChanged(trace);
  const [given, setGiven] = useState<"up" | "down" | null>(null);
  const give = useMutation({
    mutationFn: (rating: "up" | "down") => api.scores.feedback({ trace, rating, user: WHO }),
    onSuccess: (_, rating) => {
      setGiven(rating);
      changed();
    },
    onError: (error) => toast(error.message, "bad"),
  });
  const thumb = (rating: "up" | "down", label: string) => (
    <IconButton
      icon={rating === "up" ? "thumbUp" : "thumbDown"}
      size="sm"
      label={label}
      aria-pressed={given === rating}
      className={cx(given === rating && "on")}
      disabled={give.isPending}
      onClick={() => give.mutate(rating)}
    />
  );
  return (
    <span className="thumbs" role="group" aria-label="Feedback">
      {thumb("up", "A good answer")}
      {thumb("down", "A bad answer")}
    </span>
  );
}

/** All scores of a trace and of its spans, to be added to, changed and removed by hand. */
export function Scores({ trace, open, onClose }: { trace: string; open: boolean; onClose: () => void }) {
  const query = useInfiniteQuery({ ...queries.scores(trace), enabled: open });
  const changed = useScoresChanged(trace);
  const [editing, setEditing] = useState<Score | "new" | null>(null);
  const remove = useMutation({ mutationFn: (id: string) => api.scores.remove(id), onSuccess: changed });
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title="Scores"
      footer={
        editing === null && (
          <Button icon="plus" onClick={() => setEditing("new")}>
            Add a score
          </Button>
        )
      }
    >
      <Loaded query={query}>
        {({ pages }) =>
          pages.every((page) => page.items.length === 0) ? (
            <Empty title="No scores yet">What people and programs say of this trace stands here.</Empty>
          ) : (
            <ul className="scores">
              {pages
                .flatMap((page) => page.items)
                .map((one) => (
                  <li key={one.id}>
                    <span className="strong">{one.name}</span> <span className="num">{shownScore(one.value)}</span>{" "}
                    <span className="muted">
                      {one.source.replace("_", " ")}
                      {one.author ? ` · ${one.author}` : ""}
                      {one.span ? ` · span ${one.span.slice(0, 8)}` : ""} · <Time at={one.time} />
                    </span>
                    <span className="grow" />
                    <Button size="sm" look="ghost" onClick={() => setEditing(one)}>
                      Edit
                    </Button>
                    <IconButton
                      icon="close"
                      size="sm"
                      label={`Remove ${one.name}`}
                      disabled={remove.isPending}
                      onClick={() => remove.mutate(one.id)}
                    />
                    {one.comment && <p>{one.comment}</p>}
                  </li>
                ))}
            </ul>
          )
        }
      </Loaded>
      {query.hasNextPage && (
        <div className="table-more">
          <Button size="sm" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Load more
          </Button>
        </div>
      )}
      {remove.error ? <ErrorNote compact error={remove.error} /> : null}
      {editing && (
        <Edit
          key={editing === "new" ? "new" : editing.id}
          trace={trace}
          score={editing === "new" ? null : editing}
          onDone={() => {
            setEditing(null);
            changed();
          }}
          onLeave={() => setEditing(null)}
        />
      )}
    </Dialog>
  );
}

function Edit({ trace, score, onDone, onLeave }: { trace: string; score: Score | null; onDone: () => void; onLeave: () => void }) {
  const [name, setName] = useState(score?.name ?? "");
  const [value, setValue] = useState(score ? String(score.value) : "");
  const [comment, setComment] = useState(score?.comment ?? "");
  const write = useMutation({
    mutationFn: () => {
      const kept = score ? { ...score } : { trace, source: "annotation" };
      return api.scores.write({ ...kept, name, value: scoreValue(value, score?.kind), comment: comment || undefined });
    },
    onSuccess: onDone,
  });
  const valid = name.trim() !== "" && value.trim() !== "";
  return (
    <form
      className="score-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid && !write.isPending) write.mutate();
      }}
    >
      <Field label="Name">
        {(ids) => <input {...ids} className="input" value={name} disabled={score !== null} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Value" hint="A number, true or false, or a word">
        {(ids) => <input {...ids} className="input" value={value} onChange={(event) => setValue(event.target.value)} />}
      </Field>
      <Field label="Comment">
        {(ids) => <input {...ids} className="input" value={comment} onChange={(event) => setComment(event.target.value)} />}
      </Field>
      {write.error ? <ErrorNote compact error={write.error} /> : null}
      <span className="score-form-foot">
        <Button onClick={onLeave}>Cancel</Button>
        <Button type="submit" look="primary" busy={write.isPending} disabled={!valid}>
          {score ? "Save" : "Add"}
        </Button>
      </span>
    </form>
  );
}
