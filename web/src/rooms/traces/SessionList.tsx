export { Sessions as Component } from "./Gathered";
