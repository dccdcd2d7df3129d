// Longer than the server takes at most for a form: 10 s until a thread is free, and 20 s for the database.
export const ANSWER_WITHIN = 35_000;
