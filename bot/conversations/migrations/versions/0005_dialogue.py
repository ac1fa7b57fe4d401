"""what a conversation remembers, opt-outs of tips, urgent handoffs, customers' remarks"""

import sqlalchemy as sa
from alembic import op

from bot.conversations.database import UtcDateTime

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('remarks',
    sa.Column('message_id', sa.String(length=32), nullable=False),
    sa.Column('conversation_id', sa.String(length=32), nullable=False),
    sa.Column('made_at', UtcDateTime(), nullable=False),
    sa.Column('read_at', UtcDateTime(), nullable=True),
    sa.Column('read_by', sa.String(length=32), nullable=True),
    sa.ForeignKeyConstraint(['conversation_id'], ['conversations.id'], ),
    sa.ForeignKeyConstraint(['message_id'], ['messages.id'], ),
    sa.PrimaryKeyConstraint('message_id')
    )
    op.create_index(op.f('ix_remarks_conversation_id'), 'remarks', ['conversation_id'], unique=False)
    op.create_index('unread_remarks', 'remarks', ['made_at'], unique=False, sqlite_where=sa.text('read_at IS NULL'), postgresql_where=sa.text('read_at IS NULL'))
    op.add_column('customers', sa.Column('tips_stopped_at', UtcDateTime(), nullable=True))
    op.add_column('handoffs', sa.Column('is_urgent', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('conversations', sa.Column('context', sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    op.drop_column('conversations', 'topic')


def downgrade() -> None:
    op.add_column('conversations', sa.Column('topic', sa.Text(), nullable=True))
    op.drop_column('conversations', 'context')
    op.drop_column('handoffs', 'is_urgent')
    op.drop_column('customers', 'tips_stopped_at')
    op.drop_index('unread_remarks', table_name='remarks')
    op.drop_index(op.f('ix_remarks_conversation_id'), table_name='remarks')
    op.drop_table('remarks')
