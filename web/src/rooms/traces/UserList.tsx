export { Users as Component } from "./Gathered";
