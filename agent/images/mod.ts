/** The images room: removes images and dead containers that nobody needs. */
export { ImageDisk } from "./image_disk.ts";
export { Collector, type CollectorOptions } from "./collector.ts";
