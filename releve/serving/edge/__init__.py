"""What stands between the network and the application: connections, who may ask, what is counted."""
