"""The leak battery: planted changes of the future that no honest agent's actions depend on."""
