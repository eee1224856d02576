//! The mathematics of Mercer as pure functions over slices.
//!
//! Nothing here knows of networks, storage, configuration or clocks. Kernels run on the Rayon pool
//! of the caller and give the same bits for any number of threads.
//!
//! Two floors: what decides ([`recommend`], [`forecast`], [`price`], [`inventory`],
//! [`experiment`]) stands on mathematics that knows of no decision ([`linalg`], then [`stats`],
//! then [`learn`]), each of which may need those before it.

pub mod control;
pub mod experiment;
pub mod forecast;
pub mod inventory;
pub mod learn;
pub mod linalg;
pub mod price;
pub mod recommend;
pub mod stats;
