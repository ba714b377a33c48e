//! Integration tests: the public interface, over real TCP where there is any.
