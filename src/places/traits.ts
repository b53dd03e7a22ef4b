/** What is so or not so of a place: asked instead of its kind. */
export interface PlaceTraits {
  /**
   * Where the bytes are of the files it lists. `held`: in the place itself, all of them. `elsewhere`: in an artifact store,
   * which may be out of reach from here. `where hashed`: in the place itself, of those files that come with a sha256; the
   * others are only named.
   */
  readonly fileBytes: 'held' | 'elsewhere' | 'where hashed';
  /** Records keep the ids of their source; otherwise the place gives ids, and references are remapped. */
  readonly keepsIds: boolean;
  /**
   * Deletion and update times tell which runs were deleted with their experiment. Otherwise only those are known
   * to have been deleted by themselves that mlferry deleted.
   */
  readonly knowsDeletionTimes: boolean;
  /** Where MLflow deletes an experiment, all its runs get that time, those too that had been deleted before. */
  readonly overwritesDeletionTimes?: boolean;
  /** It has no logged models: those of a run are directories among the files of the run (MLflow 2). */
  readonly modelsInRuns?: boolean;
  /** Its fingerprint is its own; otherwise that of what it was taken from. */
  readonly ownFingerprint: boolean;
}
