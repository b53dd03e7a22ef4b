/** Tags to set; `null` removes one, and it is no error when it is not there. */
export type TagChanges = Readonly<Record<string, string | null>>;
