mod bounds;
mod catalog;
