//! The mathematics of Mercer as pure functions over slices.
//!
//! Nothing here knows of networks, storage, configuration or clocks. Kernels run on the Rayon pool
//! of the caller and give the same bits for any number of threads.

pub mod experiment;
pub mod forecast;
pub mod inventory;
mod normal;
pub mod price;
pub mod recommend;
pub mod sparse;
