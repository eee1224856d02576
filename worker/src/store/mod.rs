//! What a worker remembers in sled beside its snapshots: which file is the snapshot of a shard.
