/** The version of this build, as every part reports it. */
export const VERSION = "0.1.0";
