// The library is ready when it is imported: there is nothing to be initialised.
export * from "./mcsan.js";
