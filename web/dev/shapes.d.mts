export function faultsOf(method: string, path: string, status: number, body: unknown): string[];
