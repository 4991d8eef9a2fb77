"""The full-screen view of ``headway watch``. Nothing else imports it: textual takes its time to come up."""
