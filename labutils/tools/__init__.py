"""The commands of ``python -m labutils`` for everyone: doctor, data, and measuring."""
