import { useAllShortcuts } from "@/lib/keys";
import { Dialog, Keys } from "@/ui/kit";

const ORDER = ["Anywhere", "Go to", "Lists"];

export function Help({ open, onClose }: { open: boolean; onClose: () => void }) {
  const all = useAllShortcuts();
  const groups = new Map<string, Map<string, string>>();
  for (const { group, keys, label } of all) {
    if (!groups.has(group)) groups.set(group, new Map());
    groups.get(group)!.set(keys, label);
  }
  const rank = (name: string) => ORDER.indexOf(name) + 1 || 99;
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard shortcuts" wide>
      <div className="help-groups">
        {[...groups]
          .sort(([a], [b]) => rank(a) - rank(b))
          .map(([name, shortcuts]) => (
            <section key={name}>
              <h3>{name}</h3>
              <dl>
                {[...shortcuts].map(([keys, label]) => (
                  <div key={keys}>
                    <dt>{label}</dt>
                    <dd>
                      <Keys keys={keys} />
                      <span className="sr-only">{keys}</span>
                    </dd>
                  </div>
                ))}
              </dl>
            </section>
          ))}
      </div>
    </Dialog>
  );
}
