"""what keeping and forgetting look things up by, and what they leave over"""

import sqlalchemy as sa
from alembic import op

from bot.conversations.database import UtcDateTime

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('leftovers',
    sa.Column('conversation_id', sa.String(length=32), nullable=False),
    sa.Column('customer_id', sa.String(length=32), nullable=False),
    sa.Column('removed_at', UtcDateTime(), nullable=False),
    sa.Column('is_erasure', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('conversation_id')
    )
    op.create_index(op.f('ix_leftovers_customer_id'), 'leftovers', ['customer_id'], unique=False)
    op.create_index(op.f('ix_customers_created_at'), 'customers', ['created_at'], unique=False)
    op.create_index(op.f('ix_conversations_opened_at'), 'conversations', ['opened_at'], unique=False)
    op.create_index('traces_kept', 'turns', ['begun_at'], unique=False, sqlite_where=sa.text("trace != '{}' OR problem IS NOT NULL"), postgresql_where=sa.text("trace::text != '{}' OR problem IS NOT NULL"))
    op.create_index('handoffs_of_conversation', 'handoffs', ['conversation_id', 'requested_at'], unique=False)
    op.create_index(op.f('ix_enrolments_customer_id'), 'enrolments', ['customer_id'], unique=False)
    op.create_index('steps_of_enrolment', 'steps', ['enrolment_id', 'number'], unique=False)
    op.create_index(op.f('ix_steps_customer_id'), 'steps', ['customer_id'], unique=False)
    op.create_index(op.f('ix_steps_message_id'), 'steps', ['message_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_steps_message_id'), table_name='steps')
    op.drop_index(op.f('ix_steps_customer_id'), table_name='steps')
    op.drop_index('steps_of_enrolment', table_name='steps')
    op.drop_index(op.f('ix_enrolments_customer_id'), table_name='enrolments')
    op.drop_index('handoffs_of_conversation', table_name='handoffs')
    op.drop_index('traces_kept', table_name='turns')
    op.drop_index(op.f('ix_conversations_opened_at'), table_name='conversations')
    op.drop_index(op.f('ix_customers_created_at'), table_name='customers')
    op.drop_index(op.f('ix_leftovers_customer_id'), table_name='leftovers')
    op.drop_table('leftovers')
