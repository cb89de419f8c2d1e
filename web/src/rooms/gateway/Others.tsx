// Where several processes serve calls: what is shown here is of one of them.

import { useQuery } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import { Icon } from "@/ui/icons";
import { othersSaid } from "./processes";

export function Others({ what }: { what: string }) {
  const processes = useQuery({ ...queries.processes(), retry: false });
  const said = othersSaid(processes.data ?? [], what);
  if (said === null) return null;
  return (
    <p className="others-note" role="note">
      <Icon name="warn" size={14} />
      <span>{said}</span>
    </p>
  );
}
