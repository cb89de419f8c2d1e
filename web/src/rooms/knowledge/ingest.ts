import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { api } from "@/api/client";
import { toast } from "@/ui/toasts";

/** Begins an ingestion and goes to where it can be watched. */
export function useIngest(name: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (options: { retry_failed?: boolean }) => api.knowledge.ingest(name, options),
    onSuccess: ({ run }) => {
      void client.invalidateQueries({ queryKey: ["knowledge", name] });
      void navigate(`/knowledge/${name}/runs/${run.id}`);
    },
    onError: (error) => toast(error.message, "bad"),
  });
}
