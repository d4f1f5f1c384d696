//! Settlement: the upstream's status comes back in Envoy's access log, and what a limit does not count goes back. Each protection has its
//! control beside it: the same thing without it changes what is counted.

mod campaign;
mod classes;
mod hostile;
mod leaving;
mod meshes;
mod mixed;
mod outage;
mod stream;
mod world;
