/** The Pythons in which PyTorch is looked for: the one that PYTHON names, then those of the system. */
export const pythons: readonly string[] = [process.env.PYTHON ?? '', '/usr/bin/python3', 'python3'].filter(Boolean);
