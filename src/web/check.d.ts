/** Every case of a kernel, of all where its name is empty, against the reference in float64. */
export function check(
  engine: Engine,
  kernel: string,
  lines?: (line: string) => void,
): Promise<{ passed: number; failed: number }>;
