/** What a search knows of its trainer and of the params.json that it reads. */
type Given = Readonly<Record<string, unknown>>;

export interface Trainer {
  /**
   * The program with its arguments. It trains `--model_dir <directory>`, and may share with others what it finds in
   * `--teacher_cache <directory>`.
   */
  readonly command: readonly string[];
  /** The content of a params.json with every key filled. Throws a UserError where it is wrong. */
  readonly resolve: (given: Given) => Given;
  /** The metrics that a training writes, by their names in search.json, if they are not all that there are. */
  readonly metrics?: (given: Given) => readonly string[] | undefined;
  /** The keys of a params.json that nothing of its training uses. Throws a UserError where it is wrong. */
  readonly unusedKeys: (given: Given) => readonly string[];
}
